//! The program: parses the call, runs the command, prints its error and ends with its exit code.

use std::process::ExitCode;

use segstream::cli;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let call = match cli::call::parse(std::env::args_os()) {
        Ok(call) => call,
        // Also help and version, which are asked for.
        Err(error) => error.exit(),
    };
    match cli::run(&call) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output, such as `head`, has closed it: that is not an error.
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
