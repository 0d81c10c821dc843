//! The prompt, through a pipe and through a pseudo-terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::{CommandCargoExt, cargo_bin};
use rexpect::session::{PtySession, spawn_command};

/// Feeds a session; exit code, standard output, standard error.
fn pipe_in(folder: &Path, input: &[u8]) -> (i32, String, String) {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = Command::cargo_bin("forkyard").unwrap();
    let output = command.current_dir(folder).stdin(file).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "colours in a pipe");
    (output.status.code().unwrap_or(-1), out, err)
}

fn pipe(input: &str) -> (i32, String, String) {
    pipe_in(Path::new("."), input.as_bytes())
}

#[test]
fn a_table_is_answered_whole() {
    let (code, out, _) = pipe("tree()\n[tree()].len()\n\"a\\nb\"");
    let tree = "=>\nswapper/0(0)\n├─ init(1)\n└─ kthreadd(2)\n";
    assert_eq!((code, out), (0, format!("{tree}=> 1\n=> \"a\\nb\"\n")));
}

#[test]
fn piped_inputs_need_no_terminal() {
    let (code, out, err) =
        pipe("let a = 20\na + 1\nprint(it * 2)\nfn f(x) {\n  x + 1\n}\nf(1); ()");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "=> 21\n42\n", ""));
    assert_eq!(pipe(""), (0, String::new(), String::new()));
    assert_eq!(pipe("\n\n  \n").0, 0);
}

#[test]
fn a_failed_input_shows_in_the_exit_code_and_changes_nothing() {
    let (code, out, err) = pipe("let a = 1\na = 2; throw \"no\"\na\n");
    assert_eq!((code, out.as_str()), (1, "=> 1\n"));
    assert!(err.contains("<repl>:2:"), "{err}");
    assert_eq!(pipe("expect(1 == 2)\n").0, 1);
    assert_eq!(pipe(":nonsense\n").0, 1);
}

#[test]
fn unfinished_inputs_go_on_and_blank_lines_end_them() {
    let (code, out, err) = pipe("let x = [1,\n2\n]\nx.len()\nfn f() {\n\n7\n");
    assert_eq!((code, out.as_str()), (1, "=> 2\n=> 7\n"));
    assert!(err.contains("forkyard::syntax"), "{err}");
    let (code, _, err) = pipe("fn f() {");
    assert!(code == 1 && err.contains("forkyard::syntax"), "{err}");
}

#[test]
fn undo_and_redo_in_a_pipe() {
    let (code, out, err) =
        pipe("let a = 1\na = 2\na = 3\n:undo 2\nprint(a)\n:undo 2\n:redo\na\n:undo\n:redo\na\n");
    assert_eq!((code, out.as_str()), (0, "1\n=> 1\n=> 1\n"), "{err}");
    assert!(err.contains("undone: a = 3"), "{err}");
    assert_eq!(pipe(":undo\n").0, 1);
}

#[test]
fn sessions_are_saved_and_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = pipe_in(dir.path(), b"let a = 1\nnonsense(\n\na += 1\n:save s.rhai\n");
    assert!(code == 1 && err.contains("2 lines written to s.rhai"), "{err}");
    let saved = std::fs::read_to_string(dir.path().join("s.rhai")).unwrap();
    assert_eq!(saved, "let a = 1;\na += 1;\n");
    let (code, out, err) = pipe_in(dir.path(), b":load s.rhai\na\n:undo\n:undo\n:load s.rhia\n");
    assert!(code == 1 && out == "=> 2\n", "{out}{err}");
    assert!(err.contains("did you mean `s.rhai`?"), "{err}");
    let (code, _, err) = pipe_in(dir.path(), b"7\n:save s.rhai\n");
    assert!(code == 1 && err.contains("`:save! s.rhai` replaces it"), "{err}");
    let (code, ..) = pipe_in(dir.path(), b"7\n:save! s.rhai\n:save s.rhai\n:save no/s.rhai\n");
    assert_eq!(code, 1);
    assert_eq!(std::fs::read_to_string(dir.path().join("s.rhai")).unwrap(), "7;\n");
}

#[test]
fn questions_and_lists() {
    let (code, out, _) =
        pipe("/// Doubles.\nfn twice(x) { x * 2 }\nlet n = 4\n?twice\n?n\n:vars\n");
    assert_eq!(code, 0);
    assert!(out.contains("twice(x)\n    Doubles.\n"), "{out}");
    assert!(out.contains("n: int = 4\n"), "{out}");
    assert!(out.ends_with("n  int  4\n"), "{out}");
    let (_, out, _) = pipe(":help\n");
    for command in ["vars", "ps", "tree", "trace", "undo", "redo", "save", "load", "reset", "quit"]
    {
        assert!(out.contains(&format!(":{command}")), "{command}");
    }
}

#[test]
fn reset_forgets_everything() {
    let (code, out, err) = pipe("let a = 1\n:reset\n:vars\na\n");
    assert_eq!((code, out.as_str()), (1, "no variables yet\n"), "{err}");
}

#[test]
fn text_that_is_none_is_wrong_usage() {
    let (code, out, err) = pipe_in(Path::new("."), b"1\n\xff\n2\n");
    assert_eq!((code, out.as_str()), (2, "=> 1\n"));
    assert!(err.contains("not UTF-8"));
    let long = format!("\"{}\"\n", "x".repeat(2 << 20));
    assert_eq!(pipe(&long).0, 2);
}

#[test]
fn a_reader_that_leaves_ends_the_session() {
    let mut command = Command::cargo_bin("forkyard").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child =
        command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"1\nprint(2)\n3\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// A session on a pseudo-terminal.
struct Terminal {
    pty: PtySession,
    _state: tempfile::TempDir,
}

const PROMPT: &str = "forkyard> ";
const UP: &str = "\x1b[A";

impl Terminal {
    fn start() -> Terminal {
        let state = tempfile::tempdir().unwrap();
        Terminal { pty: spawn(state.path()), _state: state }
    }

    fn line(&mut self, text: &str) {
        self.pty.send_line(text).unwrap();
    }

    fn keys(&mut self, text: &str) {
        self.pty.send(text).unwrap();
        self.pty.flush().unwrap();
    }

    #[track_caller]
    fn sees(&mut self, text: &str) {
        if let Err(e) = self.pty.exp_string(text) {
            panic!("no {text:?}: {e}");
        }
    }

    #[track_caller]
    fn prompt(&mut self) {
        self.sees(PROMPT);
    }

    #[track_caller]
    fn leaves(mut self) {
        self.pty.send_control('d').unwrap();
        self.pty.exp_eof().unwrap();
        let status = self.pty.process().wait().unwrap();
        assert!(
            format!("{status:?}").contains("Exited") && format!("{status:?}").ends_with(", 0)")
        );
    }
}

fn spawn(state: &Path) -> PtySession {
    let mut command = Command::new::<PathBuf>(cargo_bin("forkyard"));
    command.env("XDG_STATE_HOME", state).env("TERM", "xterm").env("NO_COLOR", "1");
    command.current_dir(state);
    spawn_command(command, Some(20_000)).unwrap()
}

#[test]
fn a_terminal_has_a_prompt_and_shows_values() {
    let mut t = Terminal::start();
    t.sees("`:help` lists commands");
    t.prompt();
    t.line("let a = 20");
    t.prompt();
    t.line("a * 2 + 1");
    t.sees("=> 41");
    t.prompt();
    t.line("print(`it is ${it}`)");
    t.sees("it is 41");
    t.prompt();
    t.leaves();
}

#[test]
fn tab_completes() {
    let mut t = Terminal::start();
    t.prompt();
    t.line("let an_address = addr(0x2345)");
    t.prompt();
    t.keys("an_ad\t.off\t");
    t.sees("an_address.offset");
    t.line("");
    t.sees("=> 837");
    t.prompt();
    // Two that fit are listed.
    t.keys(":re\t\t");
    t.sees(":reset");
    t.keys("s\t");
    t.line("");
    t.sees("a machine just booted");
    t.prompt();
    t.leaves();
}

#[test]
fn unfinished_inputs_ask_for_more() {
    let mut t = Terminal::start();
    t.prompt();
    t.line("fn double(x) {");
    t.line("  x * 2");
    t.line("}");
    t.prompt();
    t.line("double(21)");
    t.sees("=> 42");
    t.prompt();
    // A blank line ends what has no end.
    t.line("fn f( {");
    t.line("");
    t.sees("forkyard::syntax");
    t.prompt();
    t.leaves();
}

#[test]
fn ctrl_c_stops_the_script_and_not_the_session() {
    let mut t = Terminal::start();
    t.prompt();
    t.line("let n = 0");
    t.prompt();
    // Long enough to be stopped, and short enough to end if it is not.
    t.line("print(\"running\"); loop { n += 1 }");
    t.sees("running\r\n");
    std::thread::sleep(Duration::from_millis(50));
    t.pty.send_control('c').unwrap();
    t.sees("interrupted");
    t.prompt();
    t.line("n");
    t.sees("=> 0");
    t.prompt();
    // At the prompt it throws away what is typed.
    t.keys("half a li");
    t.pty.send_control('c').unwrap();
    t.prompt();
    t.line("7 * 6");
    t.sees("=> 42");
    t.prompt();
    t.leaves();
}

#[test]
fn undo_at_the_terminal() {
    let mut t = Terminal::start();
    t.prompt();
    t.line("let a = 1");
    t.prompt();
    t.line("a = 2");
    t.prompt();
    t.line(":undo");
    t.sees("undone: a = 2");
    t.prompt();
    t.line("a");
    t.sees("=> 1");
    t.prompt();
    t.leaves();
}

#[test]
fn the_history_is_kept() {
    let mut t = Terminal::start();
    t.prompt();
    t.line("1000 + 234");
    t.sees("=> 1234");
    t.prompt();
    t.keys(UP);
    t.sees("1000 + 234");
    t.line("");
    t.sees("=> 1234");
    t.prompt();
    let Terminal { mut pty, _state } = t;
    pty.send_line(":quit").unwrap();
    pty.exp_eof().unwrap();
    assert!(_state.path().join("forkyard/history").exists());
    let mut again = Terminal { pty: spawn(_state.path()), _state };
    again.prompt();
    again.keys(&format!("{UP}{UP}"));
    again.sees("1000 + 234");
    again.line("");
    again.sees("=> 1234");
    again.prompt();
    again.leaves();
}

#[test]
fn a_history_that_cannot_be_kept_is_a_remark() {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("forkyard"), "in the way").unwrap();
    let mut t = Terminal { pty: spawn(state.path()), _state: state };
    t.sees("no history is kept");
    t.prompt();
    t.line("6 * 7");
    t.sees("=> 42");
    t.prompt();
    t.leaves();
}

#[test]
fn questions_at_the_terminal() {
    let mut t = Terminal::start();
    t.prompt();
    t.line("?addr");
    t.sees("addr(int) -> Addr");
    t.prompt();
    t.line("?adrr");
    t.sees("did you mean `addr`?");
    t.prompt();
    t.leaves();
}

#[test]
fn programs_are_stepped_at_the_prompt() {
    let input = "fn f() {\n if fork() == 0 { exit(1) }\n wait();\n}\nlet p = start(f); ()\np.step()\n\
                 p.step(2)\np.undo()\np.schedule\nrun(f).schedule\nexplore(f).complete";
    let (code, out, err) = pipe(input);
    let said = "=> \"process 1: fork, line 2\"\n=> \"process 2: exit_group, line 2\"\n=> \"1\"\n\
                => \"1x2 2 1x2\"\n=> true\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, said, ""));
}
