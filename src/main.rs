//! The program: parse the call, run the command, print what went wrong, leave with its code.

use std::process::ExitCode;

use clap::Parser;
use segstream::cli;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let call = cli::Cli::parse();
    match cli::run(&call) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output, such as `head`, has had enough of it.
        Err(error) if cli::exit::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last word of the program")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(cli::exit::code_of(&error) as u8)
        }
    }
}
