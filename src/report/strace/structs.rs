//! Structures in user memory as strace writes them: times, files, limits.
//!
//! Linux: include/uapi, arch/x86/include/uapi/asm/stat.h. Left out: fields that
//! strace shows with `-v` only.

use super::ctx::Ctx;
use super::names;
use super::text::{addr, flags, hex, name_of, octal};
use crate::abi::numbers::RLIM_INFINITY;
use crate::abi::structs::SchedAttr;

/// `struct timespec`.
pub fn timespec(ctx: &Ctx, at: u64) -> Option<String> {
    let (sec, nsec) = (ctx.i64(at)?, ctx.i64(at.wrapping_add(8))?);
    Some(format!("{{tv_sec={sec}, tv_nsec={nsec}}}"))
}

/// `struct timeval`.
pub fn timeval(ctx: &Ctx, at: u64) -> Option<String> {
    let (sec, usec) = (ctx.i64(at)?, ctx.i64(at.wrapping_add(8))?);
    Some(format!("{{tv_sec={sec}, tv_usec={usec}}}"))
}

/// `struct itimerval`.
pub fn itimerval(ctx: &Ctx, at: u64) -> Option<String> {
    let (interval, value) = (timeval(ctx, at)?, timeval(ctx, at.wrapping_add(16))?);
    Some(format!("{{it_interval={interval}, it_value={value}}}"))
}

/// `struct itimerspec`.
pub fn itimerspec(ctx: &Ctx, at: u64) -> Option<String> {
    let (interval, value) = (timespec(ctx, at)?, timespec(ctx, at.wrapping_add(16))?);
    Some(format!("{{it_interval={interval}, it_value={value}}}"))
}

/// Seconds since 1970 as a date, with the fraction in `digits` decimal places.
pub fn date(sec: i64, fraction: i64, digits: usize) -> String {
    let (days, rest) = (sec.div_euclid(86_400), sec.rem_euclid(86_400));
    // Days from civil, the other way round: eras of 400 years from 0000-03-01.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (rest / 3600, rest / 60 % 60, rest % 60);
    let fraction = match (fraction, digits) {
        (0, _) | (_, 0) => String::new(),
        (f, _) => format!(".{f:0digits$}"),
    };
    format!("{year}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}{fraction}+0000")
}

/// A point in time of utimensat.
fn stamp(ctx: &Ctx, at: u64) -> Option<String> {
    const UTIME_NOW: i64 = 0x3fff_ffff;
    const UTIME_OMIT: i64 = 0x3fff_fffe;
    let (sec, nsec) = (ctx.i64(at)?, ctx.i64(at.wrapping_add(8))?);
    Some(match nsec {
        UTIME_NOW => "UTIME_NOW".to_string(),
        UTIME_OMIT => "UTIME_OMIT".to_string(),
        _ => format!("{{tv_sec={sec}, tv_nsec={nsec}}} /* {} */", date(sec, nsec, 9)),
    })
}

/// Two times of utimensat.
pub fn stamps(ctx: &Ctx, at: u64) -> Option<String> {
    Some(format!("[{}, {}]", stamp(ctx, at)?, stamp(ctx, at.wrapping_add(16))?))
}

/// Two times of utimes.
pub fn timeval_stamps(ctx: &Ctx, at: u64) -> Option<String> {
    let one = |at: u64| {
        let (sec, usec) = (ctx.i64(at)?, ctx.i64(at.wrapping_add(8))?);
        Some(format!("{{tv_sec={sec}, tv_usec={usec}}} /* {} */", date(sec, usec, 6)))
    };
    Some(format!("[{}, {}]", one(at)?, one(at.wrapping_add(16))?))
}

/// `struct utimbuf`.
pub fn utimbuf(ctx: &Ctx, at: u64) -> Option<String> {
    let (a, m) = (ctx.i64(at)?, ctx.i64(at.wrapping_add(8))?);
    let (ad, md) = (date(a, 0, 0), date(m, 0, 0));
    Some(format!("{{actime={a} /* {ad} */, modtime={m} /* {md} */}}"))
}

/// A file's type and permissions.
pub fn mode(v: u64) -> String {
    const TYPES: &[(&str, u64)] = &[
        ("S_IFSOCK", 0o140000),
        ("S_IFLNK", 0o120000),
        ("S_IFREG", 0o100000),
        ("S_IFBLK", 0o060000),
        ("S_IFDIR", 0o040000),
        ("S_IFCHR", 0o020000),
        ("S_IFIFO", 0o010000),
    ];
    match TYPES.iter().find(|(_, t)| *t == v & 0o170000) {
        Some((name, _)) => format!("{name}|{}", octal(v & 0o7777)),
        None => octal(v),
    }
}

/// A device number.
pub fn device(dev: u64) -> String {
    let major = (dev >> 8 & 0xfff) | (dev >> 32 & !0xfff);
    let minor = (dev & 0xff) | (dev >> 12 & 0xffff_ff00);
    format!("makedev({}, {})", hex(major), hex(minor))
}

fn is_device(mode: u64) -> bool {
    matches!(mode & 0o170000, 0o020000 | 0o060000)
}

/// `struct stat`.
pub fn stat(ctx: &Ctx, at: u64) -> Option<String> {
    let m = u64::from(ctx.u32(at.wrapping_add(24))?);
    let rest = match is_device(m) {
        true => format!("st_rdev={}", device(ctx.u64(at.wrapping_add(40))?)),
        false => format!("st_size={}", ctx.i64(at.wrapping_add(48))?),
    };
    Some(format!("{{st_mode={}, {rest}, ...}}", mode(m)))
}

/// `struct statx`.
pub fn statx(ctx: &Ctx, at: u64) -> Option<String> {
    let mask = flags(names::files::STATX, u64::from(ctx.u32(at)?), "STATX_???");
    let m = u64::from(ctx.u16(at.wrapping_add(28))?);
    Some(format!(
        "{{stx_mask={mask}, stx_attributes={}, stx_mode={}, stx_size={}, ...}}",
        hex(ctx.u64(at.wrapping_add(8))?),
        mode(m),
        ctx.u64(at.wrapping_add(40))?
    ))
}

/// `struct statfs`.
pub fn statfs(ctx: &Ctx, at: u64) -> Option<String> {
    let f = |i: u64| ctx.u64(at.wrapping_add(8 * i));
    let fsid = f(7)?;
    Some(format!(
        "{{f_type={}, f_bsize={}, f_blocks={}, f_bfree={}, f_bavail={}, f_files={}, f_ffree={}, \
         f_fsid={{val=[{}, {}]}}, f_namelen={}, f_frsize={}, f_flags={}}}",
        name_of(names::files::FS_MAGIC, f(0)?, "???_MAGIC"),
        f(1)?,
        f(2)?,
        f(3)?,
        f(4)?,
        f(5)?,
        f(6)?,
        hex(fsid & 0xffff_ffff),
        hex(fsid >> 32),
        f(8)?,
        f(9)?,
        flags(names::files::STATFS, f(10)?, "ST_???")
    ))
}

/// One bound of a limit.
fn limit(v: u64) -> String {
    match v {
        RLIM_INFINITY => "RLIM64_INFINITY".to_string(),
        v if v > 1024 && v % 1024 == 0 => format!("{}*1024", v / 1024),
        v => v.to_string(),
    }
}

/// `struct rlimit`.
pub fn rlimit(ctx: &Ctx, at: u64) -> Option<String> {
    let (cur, max) = (limit(ctx.u64(at)?), limit(ctx.u64(at.wrapping_add(8))?));
    Some(format!("{{rlim_cur={cur}, rlim_max={max}}}"))
}

/// `struct rusage`.
pub fn rusage(ctx: &Ctx, at: u64) -> Option<String> {
    let (u, s) = (timeval(ctx, at)?, timeval(ctx, at.wrapping_add(16))?);
    Some(format!("{{ru_utime={u}, ru_stime={s}, ...}}"))
}

/// `struct tms`.
pub fn tms(ctx: &Ctx, at: u64) -> Option<String> {
    let f = |i: u64| ctx.i64(at.wrapping_add(8 * i));
    let (u, s, cu, cs) = (f(0)?, f(1)?, f(2)?, f(3)?);
    Some(format!("{{tms_utime={u}, tms_stime={s}, tms_cutime={cu}, tms_cstime={cs}}}"))
}

/// `struct new_utsname`, fields of 65 bytes.
pub fn utsname(ctx: &Ctx, at: u64) -> Option<String> {
    ctx.bytes(at, 65 * 6)?;
    let (name, node) = (ctx.field(at, 65), ctx.field(at.wrapping_add(65), 65));
    Some(format!("{{sysname={name}, nodename={node}, ...}}"))
}

/// `struct sysinfo`.
pub fn sysinfo(ctx: &Ctx, at: u64) -> Option<String> {
    let f = |o: u64| ctx.u64(at.wrapping_add(o));
    Some(format!(
        "{{uptime={}, loads=[{}, {}, {}], totalram={}, freeram={}, sharedram={}, bufferram={}, \
         totalswap={}, freeswap={}, procs={}, totalhigh={}, freehigh={}, mem_unit={}}}",
        f(0)?,
        f(8)?,
        f(16)?,
        f(24)?,
        f(32)?,
        f(40)?,
        f(48)?,
        f(56)?,
        f(64)?,
        f(72)?,
        ctx.u16(at.wrapping_add(80))?,
        f(88)?,
        f(96)?,
        ctx.u32(at.wrapping_add(104))?
    ))
}

/// `struct sched_attr`.
pub fn sched_attr(ctx: &Ctx, at: u64) -> Option<String> {
    let size = ctx.u32(at)?;
    let len = (size as usize).clamp(48, 56);
    let a = SchedAttr::from_bytes(&ctx.bytes(at, len)?);
    let util = match len {
        56 => format!(
            ", sched_util_min={}, sched_util_max={}",
            hex(a.sched_util[0].into()),
            hex(a.sched_util[1].into())
        ),
        _ => String::new(),
    };
    Some(format!(
        "{{size={}, sched_policy={}, sched_flags={}, sched_nice={}, sched_priority={}, \
         sched_runtime={}, sched_deadline={}, sched_period={}{util}}}",
        a.size,
        name_of(names::tasks::SCHED, a.sched_policy.into(), "SCHED_???"),
        flags(names::tasks::SCHED_FLAG, a.sched_flags, "SCHED_FLAG_???"),
        a.sched_nice,
        a.sched_priority,
        a.sched_runtime,
        a.sched_deadline,
        a.sched_period
    ))
}

/// A mask of processors, `len` bytes.
pub fn cpus(ctx: &Ctx, at: u64, len: u64) -> Option<String> {
    let bytes = ctx.bytes(at, usize::try_from(len.min(1024)).ok()?)?;
    let bit = |i: &usize| bytes[i / 8] >> (i % 8) & 1 != 0;
    let words: Vec<_> = (0..bytes.len() * 8).filter(bit).map(|i| i.to_string()).collect();
    Some(format!("[{}]", words.join(" ")))
}

/// `struct epoll_event`, packed.
pub fn epoll_event(ctx: &Ctx, at: u64) -> Option<String> {
    let (events, data) = (ctx.u32(at)?, ctx.u64(at.wrapping_add(4))?);
    let events = flags(names::files::EPOLL, events.into(), "EPOLL???");
    Some(format!("{{events={events}, data={{u32={}, u64={data}}}}}", data as u32))
}

/// `struct open_how`.
pub fn open_how(ctx: &Ctx, at: u64) -> Option<String> {
    let how = super::kind::open_flags(ctx.u64(at)?);
    let m = ctx.u64(at.wrapping_add(8))?;
    let mode = if how.contains("O_CREAT") || how.contains("O_TMPFILE") || m != 0 {
        format!(", mode={}", octal(m))
    } else {
        String::new()
    };
    let resolve = flags(names::files::RESOLVE, ctx.u64(at.wrapping_add(16))?, "RESOLVE_???");
    Some(format!("{{flags={how}{mode}, resolve={resolve}}}"))
}

/// `struct flock`.
pub fn flock(ctx: &Ctx, at: u64, with_pid: bool) -> Option<String> {
    let ty = name_of(names::files::LOCK_TYPE, ctx.u16(at)?.into(), "F_???");
    let whence = name_of(names::files::WHENCE, ctx.u16(at.wrapping_add(2))?.into(), "SEEK_???");
    let (start, len) = (ctx.i64(at.wrapping_add(8))?, ctx.i64(at.wrapping_add(16))?);
    let pid = match with_pid {
        true => format!(", l_pid={}", ctx.i32(at.wrapping_add(24))?),
        false => String::new(),
    };
    Some(format!("{{l_type={ty}, l_whence={whence}, l_start={start}, l_len={len}{pid}}}"))
}

/// `struct iovec`s; of each as many bytes as `left` allows, none for addresses
/// only.
pub fn iovecs(ctx: &Ctx, at: u64, n: u64, mut left: Option<u64>) -> Option<String> {
    let mut words = Vec::new();
    if at == 0 {
        return None;
    }
    for i in 0..n.min(super::ctx::ELEMENTS as u64) {
        let one = at.checked_add(16 * i)?;
        let (base, len) = (ctx.u64(one)?, ctx.u64(one.wrapping_add(8))?);
        let base = match &mut left {
            None => addr(base),
            Some(left) => {
                let shown = len.min(*left);
                *left -= shown;
                ctx.buffer(base, shown)
            }
        };
        words.push(format!("{{iov_base={base}, iov_len={len}}}"));
    }
    if n > super::ctx::ELEMENTS as u64 {
        words.push("...".to_string());
    }
    Some(format!("[{}]", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(1_796_093_872, 0, 0), "2026-12-01T02:57:52+0000");
        assert_eq!(date(1, 5, 9), "1970-01-01T00:00:01.000000005+0000");
        assert_eq!(date(951_782_400, 0, 9), "2000-02-29T00:00:00+0000");
        assert_eq!(date(-1, 0, 0), "1969-12-31T23:59:59+0000");
    }

    #[test]
    fn modes_devices_and_limits() {
        let modes = [0o100644, 0o20666, 0o41777, 0, 0o755].map(mode);
        assert_eq!(modes, ["S_IFREG|0644", "S_IFCHR|0666", "S_IFDIR|01777", "000", "0755"]);
        assert_eq!(device(0x103), "makedev(0x1, 0x3)");
        let limits = [8 << 20, 1024, 2048, u64::MAX].map(limit);
        assert_eq!(limits, ["8192*1024", "1024", "2*1024", "RLIM64_INFINITY"]);
    }
}
