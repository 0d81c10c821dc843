//! Facts on what a program passes: NULL, addresses of the kernel, sizes that
//! are none, numbers at the ends of their range. Every line was run on Linux.

use super::*;
use forkyard::abi::nr::syscall_number;
use forkyard::kernel::syscalls::Call;

/// Calls with what Linux says: 0 for success. `B` is a page of zeros, `U` a
/// page that is not mapped, `K` an address of the kernel, `P` and `W` a pipe
/// with bytes in it, `F` a file, `M` all ones.
const CALLS: &str = include_str!("raw.txt");

#[test]
fn programs_pass_bad_pointers_and_numbers() {
    let (mut w, t) = world();
    w.ok(t, "setsid", &[]);
    w.ok(t, "pipe2", &[0, 0]);
    let Out::Fds(p, wr) = w.out else { panic!("{:?}", w.out) };
    let bytes = Payload::Bytes(b"abcdefgh".as_slice().into());
    w.value(t, "write", &[wr as u64, 0, 8], bytes).unwrap();
    let f = w.value(t, "open", &[0, 0o102, 0o600], Payload::Text("/tmp/f".into())).unwrap() as u64;
    let page = w.map(t, 8192);
    w.store(t, page, 0).unwrap();
    let unmapped = w.map(t, 4096);
    w.ok(t, "munmap", &[unmapped, 4096]);
    let number = |arg: &str| match arg {
        "M" => u64::MAX,
        "K" => 0xffff_8000_0000_0000,
        "B" => page,
        "U" => unmapped,
        "P" => p as u64,
        "W" => wr as u64,
        "F" => f,
        hex if hex.starts_with("0x") => u64::from_str_radix(&hex[2..], 16).unwrap(),
        decimal => decimal.parse::<i64>().unwrap() as u64,
    };
    let mut wrong = Vec::new();
    for line in CALLS.lines() {
        let (call, want) = line.rsplit_once(' ').unwrap();
        let (name, args) = call.strip_suffix(')').unwrap().split_once('(').unwrap();
        let args: Vec<u64> = args.split(',').map(number).collect();
        let call = Call::raw(syscall_number(name).unwrap(), &args);
        let mut w = w.clone();
        let got = match w.step(t, line, call) {
            Ok(Done::Returned(..)) => 0,
            Err(Trouble::Refused(e)) => -i64::from(e.errno as i32),
            other => panic!("{line}: {other:?}"),
        };
        if got != want.parse::<i64>().unwrap() {
            wrong.push(format!("{line}, not {got}"));
        }
    }
    assert!(wrong.is_empty(), "Linux says\n{}", wrong.join("\n"));
}
