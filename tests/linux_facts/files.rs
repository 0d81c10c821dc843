//! What calls on files say, command by command: each line of `files.txt` holds a
//! command and the answer of the running kernel to it (`tests/host/files_probe.c`,
//! in an empty directory of a tmpfs, as root). The model is asked the same by a
//! program's door: nothing but registers and user memory.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use super::*;
use forkyard::abi::nr::syscall_number;
use forkyard::kernel::fs::stat::{Kstat, STAT_SIZE};
use forkyard::kernel::syscalls::Call;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Commands and answers.
const TABLE: &str = include_str!("files.txt");

/// One word of a command.
enum Word {
    Number(u64),
    Text(String),
}

/// Cuts a command into its name and words.
fn words(command: &str) -> (&str, Vec<Word>) {
    let (name, mut rest) = command.split_once(' ').unwrap_or((command, ""));
    let mut list = Vec::new();
    while let Some(start) = rest.chars().next() {
        let end = if start == '"' { '"' } else { ' ' };
        let body = if start == '"' { &rest[1..] } else { rest };
        let (word, after) = body.split_once(end).unwrap_or((body, ""));
        list.push(if start == '"' { Word::Text(word.into()) } else { Word::Number(number(word)) });
        rest = after.trim_start();
    }
    (name, list)
}

/// A number as C reads it.
fn number(word: &str) -> u64 {
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).unwrap();
    }
    match word.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).unwrap(),
        _ => word.parse::<i64>().unwrap() as u64,
    }
}

struct Asked {
    w: World,
    t: TaskId,
    /// Where texts lie, and results.
    texts: u64,
    results: u64,
    used: u64,
}

type Said = Result<i64, Errno>;

impl Asked {
    fn new() -> Asked {
        let (mut w, t) = world();
        let texts = w.map(t, 8192);
        let results = w.map(t, 8192);
        let mut asked = Asked { w, t, texts, results, used: 0 };
        let dir = asked.text("/dev/shm/d");
        asked.call("mkdir", &[dir, 0o755]).unwrap();
        asked.call("chdir", &[dir]).unwrap();
        asked
    }

    fn call(&mut self, name: &str, args: &[u64]) -> Said {
        let nr = syscall_number(name).unwrap_or_else(|| panic!("no call {name}"));
        match self.w.step(self.t, name, Call::raw(nr, args)) {
            Ok(Done::Returned(n, _)) => Ok(n),
            Err(Trouble::Refused(e)) => Err(e.errno),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Puts bytes into user memory, eight at a time.
    fn put(&mut self, at: u64, bytes: &[u8]) {
        for (i, part) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.w.store(self.t, at + 8 * i as u64, u64::from_le_bytes(word)).unwrap();
        }
    }

    fn get(&mut self, at: u64, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for i in 0..len.div_ceil(8) {
            bytes.extend(self.w.load(self.t, at + 8 * i).unwrap().to_le_bytes());
        }
        bytes.truncate(len as usize);
        bytes
    }

    /// A text with its NUL in user memory.
    fn text(&mut self, text: &str) -> u64 {
        let at = self.texts + self.used;
        self.put(at, &[text.as_bytes(), &[0]].concat());
        self.used = (self.used + text.len() as u64 + 1).next_multiple_of(8);
        at
    }

    fn words_at(&mut self, at: u64, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.put(at, &bytes);
    }

    fn say(said: Said) -> String {
        match said {
            Ok(n) => n.to_string(),
            Err(e) => e.name().to_string(),
        }
    }

    /// The bytes that a call has stored at the results.
    fn bytes(&mut self, said: Said) -> String {
        match said {
            Ok(n) => {
                let bytes = self.get(self.results, n as u64);
                format!("\"{}\"", String::from_utf8_lossy(&bytes))
            }
            Err(e) => e.name().to_string(),
        }
    }

    fn kstat(&mut self) -> Kstat {
        let image = self.get(self.results, STAT_SIZE as u64);
        Kstat::from_image(image.as_slice().try_into().unwrap())
    }

    fn attributes(&mut self, said: Said) -> String {
        if let Err(e) = said {
            return e.name().to_string();
        }
        let st = self.kstat();
        let mut text = format!("{:o} links {}", st.mode, st.nlink);
        if st.mode & 0o170000 != 0o040000 {
            text += &format!(" size {}", st.size);
        }
        if st.mode & 0o170000 == 0o020000 {
            text += &format!(" device {}:{}", st.rdev.0, st.rdev.1);
        }
        format!("{text} owner {}:{}", st.uid, st.gid)
    }

    fn times(&mut self, said: Said) -> String {
        if let Err(e) = said {
            return e.name().to_string();
        }
        let times = self.kstat().times;
        let when = |ns: i64| match ns / 1_000_000_000 {
            sec if sec < 1_000_000_000 => format!("{sec}.{:09}", ns % 1_000_000_000),
            _ => "now".to_string(),
        };
        [times.atime, times.mtime, times.ctime].map(when).join(" ")
    }

    fn names(&mut self, path: u64) -> String {
        let fd = self.call("open", &[path, 0o200000, 0]).unwrap() as u64;
        let len = self.call("getdents64", &[fd, self.results, 8192]).unwrap() as u64;
        self.call("close", &[fd]).unwrap();
        let bytes = self.get(self.results, len);
        let names: BTreeSet<String> =
            forkyard::kernel::fs::readdir::entries(&bytes).into_iter().map(|e| e.name).collect();
        names.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// A page of a file, mapped and shared.
    fn mapping(&mut self, fd: u64, prot: u64) -> Said {
        self.call("mmap", &[0, 4096, prot, 1, fd, 0])
    }

    fn answer(&mut self, command: &str) -> String {
        self.used = 0;
        let (name, list) = words(command);
        let mut n = Vec::new();
        let mut len = Vec::new();
        for word in &list {
            match word {
                Word::Number(value) => (n.push(*value), len.push(0)),
                Word::Text(text) => (n.push(self.text(text)), len.push(text.len() as u64)),
            };
        }
        n.resize(8, 0);
        let out = self.results;
        match name {
            "stat" | "lstat" | "fstat" => {
                let said = self.call(name, &[n[0], out]);
                self.attributes(said)
            }
            "times" => {
                let said = self.call("lstat", &[n[0], out]);
                self.times(said)
            }
            "read" => {
                let said = self.call("read", &[n[0], out, n[1]]);
                self.bytes(said)
            }
            "pread" => {
                let said = self.call("pread64", &[n[0], out, n[1], n[2]]);
                self.bytes(said)
            }
            "readlink" => {
                let said = self.call("readlink", &[n[0], out, n[1]]);
                self.bytes(said)
            }
            "write" => Asked::say(self.call("write", &[n[0], n[1], len[1]])),
            "pwrite" => Asked::say(self.call("pwrite64", &[n[0], n[1], len[1], n[2]])),
            "writev" => {
                let iov: Vec<u64> = (1..list.len()).flat_map(|i| [n[i], len[i]]).collect();
                self.words_at(out, &iov);
                Asked::say(self.call("writev", &[n[0], out, list.len() as u64 - 1]))
            }
            "readv" => {
                let iov = self.texts;
                self.words_at(iov, &[out, n[1], out + n[1], n[2]]);
                let said = self.call("readv", &[n[0], iov, 2]);
                self.bytes(said)
            }
            "settimes" => {
                self.words_at(out, &n[2..6]);
                Asked::say(self.call("utimensat", &[n[0], n[1], out, n[6]]))
            }
            "lock" => {
                self.words_at(out, &[n[2] | n[3] << 16, n[4], n[5], 0]);
                let said = self.call("fcntl", &[n[0], n[1], out]);
                if said != Ok(0) || !matches!(n[1], 5 | 36) {
                    return Asked::say(said);
                }
                let word = |b: &[u8]| i64::from_le_bytes(b.try_into().unwrap());
                let b = self.get(out, 32);
                let (start, length) = (word(&b[8..16]), word(&b[16..24]));
                format!("type {} start {start} len {length}", b[0])
            }
            "mapwrite" => {
                let at = match self.mapping(n[0], 3) {
                    Ok(at) => at as u64,
                    Err(e) => return e.name().to_string(),
                };
                // Words of eight bytes: what follows the text stays as it is.
                let text = self.get(n[2], len[2]);
                let mut all = self.get(at + n[1], len[2].next_multiple_of(8));
                all[..text.len()].copy_from_slice(&text);
                self.put(at + n[1], &all);
                self.call("msync", &[at, 4096, 4]).unwrap();
                Asked::say(self.call("munmap", &[at, 4096]))
            }
            "mapread" => {
                let at = self.mapping(n[0], 1).unwrap() as u64;
                let bytes = self.get(at + n[1], n[2]);
                self.call("munmap", &[at, 4096]).unwrap();
                format!("\"{}\"", String::from_utf8_lossy(&bytes))
            }
            "sendfile" => {
                self.words_at(out, &[n[2]]);
                let said = self.call("sendfile", &[n[0], n[1], out, n[3]]);
                format!("{} at {}", Asked::raw(said), self.w.load(self.t, out).unwrap() as i64)
            }
            "copy" => {
                self.words_at(out, &[n[1], n[3]]);
                let said = self.call("copy_file_range", &[n[0], out, n[2], out + 8, n[4], 0]);
                let (a, b) = (self.w.load(self.t, out), self.w.load(self.t, out + 8));
                let (a, b) = (a.unwrap() as i64, b.unwrap() as i64);
                format!("{} at {a} and {b}", Asked::raw(said))
            }
            "names" => self.names(n[0]),
            "statfs" => match self.call("statfs", &[n[0], out]) {
                Ok(_) => format!("{:x}", self.w.load(self.t, out).unwrap()),
                Err(e) => e.name().to_string(),
            },
            "as" => {
                self.call("setfsgid", &[n[0]]).unwrap();
                self.call("setfsuid", &[n[0]]).unwrap();
                "0".to_string()
            }
            _ => Asked::say(self.call(name, &n[..6])),
        }
    }

    fn raw(said: Said) -> i64 {
        said.unwrap_or_else(|e| -i64::from(e as i32))
    }
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_interest = |l: &&str| !l.is_empty() && !l.starts_with('#');
    TABLE.lines().filter(of_interest).map(|l| l.split_once(" => ").unwrap())
}

#[test]
fn files_answer_as_linux_does() {
    let mut asked = Asked::new();
    let mut wrong = Vec::new();
    for (command, want) in lines() {
        let got = asked.answer(command);
        if got != want {
            wrong.push(format!("{command} => {want}, not {got}"));
        }
    }
    assert!(wrong.is_empty(), "Linux says\n{}", wrong.join("\n"));
}

#[test]
fn the_running_kernel_says_so() {
    const SPECIAL: &[&str] = &[
        "stat", "lstat", "fstat", "read", "pread", "write", "pwrite", "readlink", "writev",
        "readv", "lock", "settimes", "times", "mapwrite", "mapread", "sendfile", "copy", "names",
        "statfs", "as",
    ];
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/files_probe.c");
    let probe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("files_probe");
    let flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
    let here = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    let compiled = Command::new("cc").args(flags).arg(&probe).arg(source).output();
    let Some(cc) = compiled.ok().filter(|_| here) else {
        return eprintln!("skipped: this needs x86_64 Linux and a C compiler");
    };
    assert!(cc.status.success(), "cc: {}", String::from_utf8_lossy(&cc.stderr));
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    let dir = PathBuf::from(format!("/dev/shm/forkyard-files-{}", std::process::id()));
    if !root || std::fs::create_dir(&dir).is_err() {
        return eprintln!("skipped: this needs root and /dev/shm");
    }
    let mut commands = String::new();
    for (command, _) in lines() {
        let (name, rest) = command.split_once(' ').unwrap();
        match SPECIAL.contains(&name) {
            true => commands += command,
            false => commands += &format!("{} {rest}", syscall_number(name).unwrap()),
        }
        commands.push('\n');
    }
    let mut run = Command::new(&probe)
        .current_dir(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = run.stdin.take().unwrap();
    let feed = std::thread::spawn(move || stdin.write_all(commands.as_bytes()));
    let said = run.wait_with_output().expect("it ends");
    feed.join().unwrap().expect("it reads");
    std::fs::remove_dir_all(&dir).unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut wrong = Vec::new();
    let mut answers = said.lines();
    for (command, want) in lines() {
        let got = answers.next().unwrap_or("nothing");
        if got != want {
            wrong.push(format!("{command} => {want}, not {got}"));
        }
    }
    assert!(wrong.is_empty(), "the running kernel says\n{}", wrong.join("\n"));
}
