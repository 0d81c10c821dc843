//! Machines: more than one, settings, snapshots.

use super::{fails, holds, prints};

#[test]
fn another_machine() {
    holds(
        "let m = boot(#{cpus: 2, ram: \"64M\", seed: 7, levels: 5});
         assert(m.cpus == 2 && m.ram == 64 << 20 && m.levels == 5 && m != machine);
         let c = m.init.fork();
         assert(c.pid == 3 && tasks().len() == 2 && m.tasks().len() == 3);
         assert(c.machine == m && c.mm.pgd != 0 && m.invariants() == []);
         let other = boot(#{mmu: false});
         assert_errno(EINVAL, || other.init.fork());
         other.init.vfork();",
    );
    assert_eq!(prints("print(boot(#{ram: 32 << 20}))"), "machine 1: 1 cpu, 32 MiB RAM, 3 tasks\n");
    for (settings, message) in [
        ("cpus: 0", "1 to 64 processors"),
        ("cpus: -1", "not -1"),
        ("ram: \"lots\"", "is not a size"),
        ("ram: 0", "more than 0 bytes"),
        ("ram: -5", "more than 0 bytes"),
        ("ram: 4096", "does not boot"),
        ("ram: \"1T\"", "limit reached: 8 GiB of emulated memory"),
        ("levels: 3", "4 or 5 levels"),
        ("cpu: 1", "no argument `cpu`"),
        ("seed: 1.5", "must be a number"),
    ] {
        let said = fails(&format!("boot(#{{{settings}}})"));
        assert!(said.contains(message), "{settings}: {said}");
    }
    assert!(fails("init.kill(boot().init, 0)").contains("different machines"));
    assert!(fails("let a = []; loop { a.push(boot(#{ram: \"16M\"})) }").contains("64 machines"));
}

#[test]
fn settings() {
    holds(
        "sysctl(\"kernel.pid_max\", 301);
         assert(sysctl(\"kernel.pid_max\") == 301 && machine.sysctl(\"pid_max\") == 301);
         sysctl(\"kernel.threads-max\", 20);
         let made = 0;
         try { loop { init.fork(); made += 1; } } catch (e) { assert(e.errno == EAGAIN); }
         assert(made < 20);",
    );
    assert!(fails("sysctl(\"kernel.pid_max\", 5)").contains("lies between 301 and"));
    assert!(fails("sysctl(\"nope\")").contains("there is no setting `nope`"));
    assert!(fails("inject(\"copy_mn\", ENOMEM)").contains("there is no step `copy_mn`"));
    assert!(fails("inject(\"copy_mm\", ENOMEM, -1)").contains("no number of passes"));
    assert!(fails("tick(-1)").contains("time does not go back"));
}

#[test]
fn snapshots_bring_everything_back() {
    holds(
        "let c = init.fork();
         let w = init.wait();
         let s = snapshot();
         c.exit(1);
         assert(w.done && w.value.exit_status == 1);
         restore(s);
         assert(!w.done && c.alive && init.state == \"S\");
         c.exit(2);
         assert(w.value.exit_status == 2);
         let before = snapshot();
         let d = init.fork();
         let v = init.wait();
         restore(before);
         assert(!d.exists() && v.done);
         try { v.value; throw \"no\"; } catch (e) { assert(e.message.contains(\"was undone\")); }
         let clock = machine.clock;
         tick(1000);
         assert(machine.clock == clock + 1000);",
    );
    assert!(fails("boot().restore(snapshot())").contains("of another machine"));
}
