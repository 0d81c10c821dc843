# Processes: subshells, background jobs, wait, signals, traps, exec, set -e.
(x=1; exit 4)
echo "subshell $? ${x:-unset}"
{ echo group; } > out
cat out
sleep 0.02 &
p=$!
wait $p
echo "waited $?"
(exit 9) &
wait $!
echo $?
for i in 1 2 3; do (sleep 0.0$i; exit $i) & done
wait
echo "all $?"
sleep 100 &
p=$!
kill $p
wait $p
echo "killed $?"
sleep 100 &
kill -9 $!
wait $!
echo "killed $?"
trap 'echo usr1' USR1
kill -USR1 $$
trap - USR1
sh -c 'trap "echo term; exit 5" TERM; kill -TERM $$; echo not here'
echo $?
sh -c 'kill -USR2 $$'
echo $?
sh -c 'trap "" TERM; kill -TERM $$; echo ignored'
sh -c 'set -e; echo before; false; echo after'
echo "set -e $?"
sh -c 'set -e; if false; then :; fi; false || true; echo through'
sh -c 'set -u; echo $nothing' 2>/dev/null
echo "set -u $?"
sh -c 'exec echo replaced; echo not here'
sh -c 'no-such-command' 2>/dev/null
echo $?
sh -c '/dev/null' 2>/dev/null
echo $?
exec 3>file
echo to three >&3
exec 3>&-
cat file
(echo out; echo err >&2) 2>&1 | sort
(echo out; echo err >&2) 2>/dev/null
echo appended >> file
wc -l < file
sh -c 'echo $0 $1' name arg
echo 'echo from a script $#' > script
sh script 1 2 3
. ./script
sh -c 'sleep 0.01; echo child' &
wait
(trap 'echo exit trap' EXIT; echo in)
timeout 0.05 sleep 10
echo "timeout $?"
timeout 5 true
echo "timeout $?"
timeout -s KILL 0.05 sleep 10
echo "timeout $?"
nice -n 5 nice
echo $(nice) | grep -c .
sh -c 'ulimit -n 20; ulimit -n'
umask 027
: > masked
stat -c %a masked
env -i A=1 env
A=2 env | grep ^A=
sh -c 'exit 300'
echo $?
set -o pipefail 2>/dev/null && false | true
echo "pipefail $?"
mkfifo fifo
cat fifo &
echo through the fifo > fifo
wait
yes | head -3
seq 1 2000 | tail -1
exec sh -c 'exit 6'
