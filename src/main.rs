use std::process::ExitCode;

/// Planning makes many small things; this takes a tenth off small queries, and no more memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reefloom::cli::run(std::env::args_os())
}
