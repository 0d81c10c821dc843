//! Loads, stores, variables and mappings.

use super::{fails, failure, holds, prints};

#[test]
fn copy_on_write_in_entries_and_counts() {
    holds(
        "let at = init.define_page(\"data\", 10);
         let child = init.fork();
         assert(init.pte(at).pfn == child.pte(at).pfn && !init.pte(at).writable);
         assert(init.page(at).refcount == 2 && init.page(at).mapcount == 2);
         let faults = child.min_flt;
         child.vars.data = 20;
         assert(child.min_flt == faults + 1);
         assert(init.page(at) != child.page(at) && child.pte(at).writable && child.pte(at).dirty);
         assert(init.page(at).mapcount == 1 && init.vars.data == 10 && child.vars.data == 20);
         let pfn = init.page(at).pfn;
         init.vars.data = 11;
         assert(init.page(at).pfn == pfn);",
    );
}

#[test]
fn memory_of_all_sizes() {
    holds(
        "let p = init.mmap(8192);
         assert(init.page(p) == ());
         assert(init.load(p) == 0 && init.page(p).pfn == machine.zero_page && init.pte(p).special);
         init.store(p, -1);
         assert(init.load(p) == -1 && init.load8(p) == 255 && init.load16(p) == 65535);
         assert(init.load32(p) == 0xffffffff && init.load64(p) == -1);
         init.store8(p + 1, 0x1234);
         assert(init.load16(p) == 0x34ff);
         init.store(p + 4090, \"across two pages\");
         assert(init.load_str(p + 4090, 100) == \"across two pages\");
         init.store_str(p, \"no\");
         assert(init.load_str(p, 100) == \"no\");
         init.store(p, blob(3, 7));
         assert(init.load_blob(p, 3) == blob(3, 7) && init.load_blob(p, 0).len() == 0);
         init.munmap(p, 8192);",
    );
}

#[test]
fn variables_have_addresses() {
    holds(
        "let a = init.define(\"a\", 1);
         let b = init.define(\"b\", 2);
         assert(b == a + 8 && init.addr_of(\"b\") == b && init.vars.names() == [\"a\", \"b\"]);
         init.vars.a += 5;
         assert(init.load(a) == 6 && init.define(\"a\", 9) == a && init.vars.a == 9);
         let s = init.define(\"s\", \"hello\");
         assert(init.load_str(s, 9) == \"hello\");
         init.define(\"bytes\", blob(16, 1));
         assert(init.vars.bytes == blob(16, 1));
         init.vars.bytes = blob(2, 3);
         let c = init.fork();
         assert(c.addr_of(\"a\") == a && c.vars.a == 9);",
    );
    let report = failure("init.define(\"data\", 1);\nprint(init.vars.dta);");
    assert!(report.contains("task 1 has no variable `dta`"), "{report}");
    assert!(report.contains("did you mean `data`?"), "{report}");
    assert!(fails("init.define(\"two words\", 1)").contains("no name for a variable"));
}

#[test]
fn mappings() {
    holds(
        "let p = init.mmap(#{len: 3 * 4096, prot: PROT_READ | PROT_WRITE, flags: MAP_SHARED});
         assert(init.maps().at(p).perms == \"rw-s\");
         let c = init.fork();
         c.store(p, 5);
         assert(init.load(p) == 5 && init.page(p) == c.page(p));
         let areas = init.maps().len();
         init.mprotect(p + 4096, 4096, PROT_READ);
         assert(init.maps().len() == areas + 2 && init.mm.map_count == areas + 2);
         init.munmap(p + 4096, 4096);
         assert(init.maps().at(p + 4096) == ());
         init.madvise(p, 4096, MADV_DONTFORK);
         assert(VM_DONTCOPY in init.maps().at(p).flags);
         let end = init.sbrk(4096);
         assert(init.mm.brk == end + 4096 && init.brk(0) == end + 4096);
         assert_errno(EINVAL, || init.mmap(0));
         assert_errno(ENOMEM, || init.mmap(-1));
         assert_errno(EINVAL, || init.munmap(p + 1, 4096));
         assert_errno(EEXIST, || init.mmap(#{addr: p, len: 4096,
             flags: MAP_PRIVATE | MAP_FIXED_NOREPLACE}));
         assert(init.mincore(p, 4096)[0] == 1);",
    );
}

#[test]
fn files_and_pipes() {
    assert_eq!(
        prints("init.write(1, \"out\\n\"); init.fork().write(2, \"err\\n\");"),
        "out\nerr\n"
    );
    holds(
        "let fd = init.open(\"/tmp/f\", O_CREAT | O_RDWR, 0o600);
         assert(init.write(fd, \"hello\") == 5 && init.lseek(fd, 0, SEEK_SET) == 0);
         let c = init.fork();
         assert(c.read(fd, 2) == \"he\" && init.read(fd, 9) == \"llo\" && init.read(fd, 9) == \"\");
         let file = init.files.fd(fd).file;
         assert(file.f_count == 2 && file.f_pos == 5 && file == c.files.fd(fd).file);
         assert(O_RDWR in file.f_flags && file.path == \"/tmp/f\");
         c.close(fd);
         assert(file.f_count == 1 && c.files.len() == init.files.len() - 1);
         let ends = init.pipe2(O_CLOEXEC);
         let r = init.fork();
         let waiting = r.read(ends[0], 5);
         assert(!waiting.done && r.state == \"S\");
         init.write(ends[1], \"data\");
         assert(waiting.value == \"data\" && init.files.fd(ends[0]).cloexec);
         assert(init.umask(0o77) == 0o22 && init.fs.umask == 0o77);
         init.mkdir(\"/tmp/d\", 0o777); init.chdir(\"/tmp/d\");
         assert(init.getcwd() == \"/tmp/d\" && init.fs.pwd == \"/tmp/d\" && c.fs.pwd == \"/\");
         assert_errno(ENOENT, || init.open(\"/none\"));
         assert_errno(EBADF, || init.close(99));
         assert(init.dup2(fd, 9) == 9 && init.fcntl(9, F_GETFD) == 0);",
    );
}
