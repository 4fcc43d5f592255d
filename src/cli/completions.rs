//! `completions SHELL`: the script that makes a shell complete verbs and flags.

use crate::cli::{Cli, Context, Exit};
use clap::CommandFactory;
use clap_complete::Shell;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

pub(crate) fn run(args: Args, io: &mut Context) -> papertape::error::Result<Exit> {
    clap_complete::generate(args.shell, &mut Cli::command(), "papertape", io);
    Ok(Exit::Done)
}
