use std::process::ExitCode;

fn main() -> ExitCode {
    reefloom::cli::run(std::env::args_os())
}
