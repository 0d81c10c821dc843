# What depends on the machine, in shape only.
ps | head -1 | grep -c PID
ps -o pid,comm | grep -c ps
ls /proc/self/fd | grep -c '^[012]$'
ls -l /proc/self | grep -c -- '->'
cat /proc/self/maps | grep -c '\[stack\]'
grep -c . /proc/self/status | awk '{ print ($1 > 20) }'
grep '^Name' /proc/self/status
grep -E '^(State|Threads|SigBlk|ShdPnd)' /proc/self/status
cat /proc/self/comm
readlink /proc/self/fd/0 | grep -c .
awk '{ print NF >= 50, $3 }' /proc/self/stat
wc -w < /proc/loadavg; wc -w < /proc/uptime
grep -c ^MemTotal: /proc/meminfo
grep -c ^cpu /proc/stat | awk '{ print ($1 > 0) }'
id | grep -c uid=; id -u | grep -c '^[0-9]*$'
uname -s; uname -m
hostname | wc -l; nproc | grep -c .
uptime | grep -c load; free | head -1 | grep -c total
sleep 5 & pid=$!
while ! grep -q sleep /proc/$pid/comm; do :; done
cat /proc/$pid/comm; tr '\0' ' ' < /proc/$pid/cmdline; echo; cut -d' ' -f3 /proc/$pid/stat; kill $pid
wait $pid; echo $?
pidof sleep-that-is-not-there; echo $?
which cat | grep -c /cat; date +%Y | grep -c '^[0-9]*$'
time -p true 2>&1 | cut -d' ' -f1
tty; echo $?
stty 2>/dev/null; echo $?
