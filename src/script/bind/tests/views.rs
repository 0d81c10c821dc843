//! What can be seen, and asserted on.

use super::{failure, holds, prints};

#[test]
fn lists_of_tasks() {
    assert_eq!(
        prints("init.fork().fork(); print(tree());"),
        "swapper/0(0)\n├─ init(1)\n│  └─ init(3)\n│     └─ init(4)\n└─ kthreadd(2)\n"
    );
    holds(
        "let c = init.fork();
         assert(ps().len() == 3 && ps().pids == [1, 2, 3] && ps().row(3).ppid == 1);
         assert(tree(c).len() == 1 && task(3) == c && tasks().len() == 3);
         c.exit(1);
         assert(ps().row(3).stat == \"Z\" && c.status()[\"State\"] == \"Z (zombie)\");
         assert(init.fds().len() == 3 && init.signals().to_string().contains(\"none\"));",
    );
}

#[test]
fn walks_and_translations() {
    holds(
        "let at = init.define(\"x\", 1);
         let w = init.walk(at);
         assert(w.len() == 4 && w.steps[0].level == \"PGD\" && w.present);
         assert(w.pfn == init.pte(at).pfn && w.steps[3].entry == init.pte(at).raw);
         assert(machine.page(w.pfn).mappers[0].pids == [1]);
         assert(init.pte(0).pfn == () && !init.pte(0).present && !init.walk(0).present);
         let cpu = machine.cpu(0);
         assert(cpu.current == init && cpu.ring == 3 && cpu.cr3 == init.mm.pgd << 12);
         assert(cpu.tlb.lookup(at).pfn == w.pfn && cpu.tlb.stale == []);
         assert(init.stack.intact && init.stack.size == 16384 && init.stack.pages.len() == 4);
         assert(init.stack.word(0) == init.stack.magic && machine.frames().free > 1000);",
    );
    assert!(failure("machine.cpu(1)").contains("there is no CPU 1: the machine has 1"));
    assert!(failure("task(2).maps()").contains("task 2 has no address space"));
}

#[test]
fn a_forgotten_flush_shows() {
    let script = "
        machine.bugs.no_tlb_flush = true;
        assert(machine.bugs.no_tlb_flush);
        let at = init.define_page(\"x\", 1);
        let child = init.fork();
        init.vars.x = 2;
        print(child.vars.x);
        print(machine.cpu(0).tlb.rows.len() > 0);";
    // The parent's stale entry still allows the write to the shared page.
    assert_eq!(prints_without_recount(script), "2\ntrue\n");
}

fn prints_without_recount(text: &str) -> String {
    let (out, result) = super::run_within(Default::default(), text);
    if let Err(failure) = result {
        panic!("{}", super::report(&failure));
    }
    out
}

#[test]
fn traces_and_differences() {
    holds(
        "let before = snapshot();
         let t = trace(|| init.fork());
         assert(\"copy_process\" in t && t.count(\"copy_page_range\") > 0 && t.value.pid == 3);
         assert(t.functions[0] == \"fork\");
         assert(trace(\"copy_mm\", || init.fork()).functions[0] == \"copy_mm\");
         assert(diff(before, init).contains(\"regs.ax\") || diff(before, init).len() > 0);
         restore(before);
         assert(machine.differences(before) == [] && tasks().len() == 2);
         inject(\"copy_files\", ENOMEM);
         assert_errno(ENOMEM, || init.fork());
         assert(machine.differences(before) == []);",
    );
}

#[test]
fn for_loops_go_over_views() {
    holds(
        "fn count(view) { let n = 0; for x in view { n += 1; } n }
         let c = init.fork();
         let t = trace(|| init.getpid());
         let before = snapshot();
         init.fork();
         for view in [ps(), tree(), c.fds(), c.maps(), t, c.walk(0), before.diff(init),
                      c.shares(init)] {
             assert(count(view) > 0);
         }
         assert(count(ps()) == ps().len() && count(c.fds()) == 3);
         let found = [];
         for s in sigset([SIGTERM, SIGHUP]) { found.push(s); }
         assert(found == [SIGHUP, SIGTERM]);
         for row in c.fds() { assert(row.target.contains(\"console\")); }",
    );
}

#[test]
fn signatures_fit_their_functions() {
    use super::super::World;
    let control = crate::script::control::Control::new(
        Default::default(),
        Default::default(),
        Box::new(crate::script::control::Buffer::new()),
    );
    let mut engine = crate::script::engine::build(&control);
    let world = World::new(Default::default()).unwrap();
    world.register(&mut engine, &control, &mut rhai::Scope::new());
    let ours = engine.collect_fn_metadata(
        None,
        |info| {
            let m = info.metadata;
            (!m.comments.is_empty()).then(|| {
                (m.name.to_string(), m.num_params, m.params_info.len(), m.comments.join(" "))
            })
        },
        false,
    );
    assert!(ours.len() > 400, "{}", ours.len());
    for (name, params, described, comments) in ours {
        assert_eq!(params, described, "{name}: {comments}");
        assert!(comments.starts_with("/// ") && comments.ends_with(['.', '…', '`']), "{name}");
    }
}
