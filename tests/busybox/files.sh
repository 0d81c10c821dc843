# Files, directories and archives.
mkdir -p d/e/f; touch d/1 d/e/2 d/e/f/3
find d | sort; find d -type f -name '[12]' | sort; find d -type d -exec echo dir {} \; | sort
find d -name 3 -print0 | xargs -0 ls
ls d; ls -a d; ls -1 d | wc -l
echo content > a; cp a b; cp -r d copy; ls -R copy
mv b c; ls; mv c d/; ls d
ln a hard; ln -s a soft; stat -c '%h %s %F' a; readlink soft; stat -c '%F %N' soft
ls -l soft | cut -c1
chmod 640 a; stat -c %a a; chmod u+x,go-r a; stat -c %a a; chmod 4755 a; ls -l a | cut -c1-10
test -x a && test -L soft && test hard -ef a && echo tests
rm soft hard; rmdir d 2>/dev/null; echo $?; rm -r copy; ls
dd if=/dev/zero of=z bs=1k count=5 2>/dev/null; wc -c z; dd if=z bs=512 count=1 skip=2 2>/dev/null | wc -c
printf 'XY' | dd of=z bs=1 seek=3 conv=notrunc 2>/dev/null; head -c 6 z | od -c
truncate -s 100 z; stat -c %s z; truncate -s +50 z; stat -c %s z
touch -d @1000000 z; stat -c %Y z; date -u -r z +%F
tar cf d.tar d; tar tf d.tar | sort; mkdir x; tar xf d.tar -C x; find x -type f | sort; diff -r d x/d && echo same
seq 1 1000 > big; gzip -c big > big.gz; gunzip -c big.gz | cmp - big && echo gzip
test $(stat -c %s big.gz) -lt $(stat -c %s big) && echo smaller
tar czf d.tgz d; tar tzf d.tgz | wc -l
gzip big; ls big*; zcat big.gz | tail -1; gunzip big.gz; ls big*
(cd d && find . | sort | cpio -o -H newc 2>/dev/null) | cpio -t 2>/dev/null
t=$(mktemp ./tmp.XXXXXX); test -f "$t" && echo mktemp; rm "$t"
t=$(mktemp -d ./tmp.XXXXXX); test -d "$t" && rmdir "$t" && echo mktemp
pwd | grep -c /; cd d; pwd | sed 's,.*/,,'; cd ..; cd -P d/e/..; basename $(pwd); cd ..
for f in d/*; do echo $f; done; echo d/[0-9] none*
du -s nothing 2>/dev/null; echo $?
cat nothing 2>&1 | sed 's/.*: //'
ls nothing 2>/dev/null; echo $?
echo x > d 2>/dev/null; echo $?
install -m 600 a i; stat -c %a i
realpath d/../a | sed 's,.*/,,'
cat > here <<'EOF'
$not `expanded`
EOF
cat here; v=1; cat <<EOF
value $v $((v + 1)) $(echo sub)
EOF
cat <<-EOF
	without tabs
EOF
echo "to a closed one" >&- 2>/dev/null; echo $?
echo 1 > e1; echo 2 > e2; cat e1 - e2 < a; sync; rm -rf d x; ls
