# Filters.
seq 1 20 > n
sort -rn n | head -3
sort n | tail -2
printf 'b 2\na 10\nc 1\na 3\n' > t
sort t; sort -k2n t; sort -u -k1,1 t
cut -d' ' -f2 t | sort -n | uniq | tr '\n' ,
echo
tr a-z A-Z < t
echo hello | tr -d l | rev
awk '{ s += $2; n[$1]++ } END { print s, n["a"], NR }' t
awk -F: '$1 ~ /^b/ { printf "%s-%05.1f\n", $1, $2 * 1.5 } ' <<EOF
boat:3
car:4
bus:7
EOF
awk 'BEGIN { for (i = 1; i <= 5; i++) x = x i; print x, length(x), substr(x, 2, 3), index(x, "4"), toupper("up"); print sqrt(2), exp(1), int(7.9), 2 ^ 10, 1e300 * 10 }'
awk 'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } BEGIN { print f(12); split("a b c", p); print p[3]; gsub(/b/, "X"); print "" }'
sed -n '2,3p' t
sed 's/a/<&>/; s/\([0-9]*\)$/[\1]/' t
sed -e '/^b/d' -e '$a end' t
echo 'one two' | sed -E 's/(\w+) (\w+)/\2 \1/'
grep -n a t; grep -v a t; grep -c . t; grep -E '^(b|c)' t; grep -q nothing t
echo $?
grep -o '[0-9]*' t | wc -l
wc t
wc -c < n
head -c 10 n | od -c
printf 'abc\0\377\n' | od -An -tx1
printf 'hello' | hexdump -C
echo hello | md5sum
echo hello | sha256sum
echo hello | sha1sum
echo hello | sha512sum | cut -c1-20
echo hello | cksum
md5sum n > sums; md5sum -c sums
paste -d, t n | head -2
nl t | head -2
fold -w 7 <<EOF
a rather long line of text
EOF
expand <<EOF
a	b
EOF
comm -12 - n <<EOF
1
10
3
EOF
echo 'a b c' | xargs -n1 echo item
seq 5 | xargs echo
seq 3 | xargs -I{} echo '[{}]'
printf 'x\0y\0' | xargs -0 -n1 echo
echo text | tee copy | cat -
cat -n copy
tac n | head -1
split -l 7 n part; ls part*
printf '1\n2\n3\n' > a; printf '1\nx\n3\n4\n' > b
diff a b; echo $?
diff -u a b | tail -n +3
cmp a b; echo $?
cmp a a; echo $?
echo '2^64 + 1; 10 / 3; scale=5; 10 / 3; sqrt(2)' | bc
echo '3 4 + p 2 * p' | dc
expr 3 + 4 \* 2; expr abc : 'a\(.*\)'
basename /a/b.c .c; dirname /a/b.c
seq -s, 1 2 9; seq 0.5 0.5 2
factor 360
date -u -d @0; date -u -d @1700000000 '+%F %T %j %a'
cal 2 2024
echo aGVsbG8= | base64 -d; echo; echo hello | base64; echo hello | uuencode -m x | head -1
uniq -c <<EOF
a
a
b
EOF
strings <<EOF
text
EOF
shuf -i 1-5 | sort -n | tr '\n' ' '
echo
