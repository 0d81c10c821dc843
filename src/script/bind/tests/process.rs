//! Making, ending and waiting for tasks.

use super::{fails, prints};

#[test]
fn cow_and_vfork_print_what_the_notes_say() {
    let cow = r#"
        init.define("data", 10);
        let child = init.fork();
        print(child.vars.data);
        child.vars.data = 20;
        print(child.vars.data);
        child.exit(0);
        init.wait();
        print(init.vars.data);
    "#;
    assert_eq!(prints(cow), "10\n20\n10\n");
    let vfork = r#"
        init.define("data", 10);
        let child = init.vfork();
        print(child.vars.data);
        child.vars.data = 20;
        print(child.vars.data);
        child.exit(0);
        init.wait();
        print(init.vars.data);
    "#;
    assert_eq!(prints(vfork), "10\n20\n20\n");
}

#[test]
fn a_child_is_waited_for() {
    assert_eq!(
        prints("let c = init.fork(); print(c); c.exit(3); print(c); print(init.wait()); print(c)"),
        "task 3 (init) R\ntask 3 (init) Z\ntask 3 exited with 3\ntask 3 (reaped)\n"
    );
    assert_eq!(
        fails("let c = init.fork(); c.exit(3); init.wait(); c.comm"),
        "task 3 no longer exists: it was reaped"
    );
}
