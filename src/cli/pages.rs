//! `segstream completions` and `segstream man`: both are made from the definition of the command line.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::exit::CallError;
use crate::cli::output_file;
use crate::cli::output_file::Named;

const PROGRAM: &str = "segstream";

/// Prints the completions of a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream completions bash > ~/.local/share/bash-completion/completions/segstream\n  segstream completions zsh > ~/.zfunc/_segstream\n  segstream completions fish > ~/.config/fish/completions/segstream.fish"
)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "bash|elvish|fish|powershell|zsh")]
    shell: Shell,
}

/// Prints the manual page, or writes a page for each command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  segstream man > segstream.1\n  segstream man --dir /usr/local/share/man/man1"
)]
pub struct ManArgs {
    /// An existing directory that gets a page for the program and one for each command; without it the page of the program is
    /// printed.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Runs `completions`.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions(args: &CompletionsArgs, mut definition: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition, PROGRAM, &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(())
}

/// Runs `man`.
///
/// # Errors
/// If a page cannot be written.
pub fn man(args: &ManArgs, mut definition: clap::Command) -> anyhow::Result<()> {
    let Some(directory) = &args.dir else {
        std::io::stdout().lock().write_all(&page(definition)?)?;
        return Ok(());
    };
    if !directory.is_dir() {
        let directory = directory.display();
        return Err(CallError(format!("--dir {directory} is not a directory that exists")).into());
    }
    // Gives the commands below their whole names.
    definition.build();
    write_pages(directory, &definition, PROGRAM)
}

fn page(command: clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command)
        .render(&mut text)
        .context("cannot make the page")?;
    Ok(text)
}

fn write_pages(directory: &Path, command: &clap::Command, name: &str) -> anyhow::Result<()> {
    let path = directory.join(format!("{name}.1"));
    let page = page(command.clone())?;
    output_file::write(Named::new("--dir", &path), &page)?;
    for below in command.get_subcommands() {
        write_pages(directory, below, &format!("{name}-{}", below.get_name()))?;
    }
    Ok(())
}
