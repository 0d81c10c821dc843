//! The `forkyard` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    forkyard::cli::main()
}
