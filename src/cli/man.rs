//! `man`: the manual page, in the format of `man(1)`.

use crate::cli::{Cli, Context, Exit};
use clap::CommandFactory;

/// Arguments of the verb: none.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, io: &mut Context) -> papertape::error::Result<Exit> {
    let command = Cli::command();
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    let _ = clap_mangen::Man::new(command.clone()).render(&mut page);
    for verb in command.get_subcommands() {
        let _ = clap_mangen::Man::new(verb.clone()).render(&mut page);
    }
    io.print(String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
