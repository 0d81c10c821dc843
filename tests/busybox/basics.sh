# Variables, tests, arithmetic, loops, functions, quoting.
x=5
echo "$x ${x}y ${none:-default} ${x:+set} ${#x}" '$x' "a\"b"
f=/a/b/c.tar.gz
echo ${f##*/} ${f#*/} ${f%.*} ${f%%.*} ${f/b/B}
echo $((1 + 2 * 3)) $((0x10 | 3)) $((7 / 2)) $((-7 % 3)) $((1 << 10)) $((x > 3 ? 1 : 0))
i=0
while [ $i -lt 5 ]; do
    i=$((i + 1))
    [ $i = 3 ] && continue
    [ $i = 5 ] && break
    echo "while $i"
done
until [ $i -le 2 ]; do i=$((i - 1)); done
echo $i
for w in one "two three" 4; do echo "<$w>"; done
for i in $(seq 3); do for j in a b; do echo -n "$i$j "; done; done
echo
case hello in
h?llo) echo matched ;;
*) echo not ;;
esac
fact() {
    if [ $1 -le 1 ]; then
        echo 1
    else
        local rest=$(fact $(($1 - 1)))
        echo $(($1 * rest))
    fi
}
fact 5
ret() { return 7; }
ret
echo $?
set -- a "b c" d
echo $# "$1" "$2" "$*"
shift
echo $# "$@"
IFS=:
set -- $(echo p:q:r)
echo "$2"
unset IFS
[ -n "$x" ] && [ ! -z "$x" ] && [ 3 -gt 2 ] && [ a != b ] && echo tests
test -d / -a -e /dev/null && echo files
eval 'y=$x; echo evaluated $y'
read a b <<EOF
first second third
EOF
echo "$a|$b"
echo "a b  c" | { read p q; echo "$q"; }
printf '%s-%d-%x-%5.2f|%-5s|\n' text 42 255 3.14159 l
printf '%b\n' 'tab\there'
true && echo and || echo or
false && echo and || echo or
! true
echo $?
type cd >/dev/null && echo builtin
alias greet='echo hi'
command echo command
readonly ro=1
(ro=2) 2>/dev/null
echo "readonly $?"
getopts ab: o -b val && echo $o $OPTARG
echo ~ | grep -c /
trap 'echo bye' EXIT
exit 3
