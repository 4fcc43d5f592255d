//! The `papertape` binary: hands the arguments to [`cli`], which holds one file a verb. All
//! meaning lives in the library; here are only flags, printing and exit codes.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os().collect())
}
