//! The command line: a file a verb. Turns arguments into engine calls and answers into text.
//!
//! Data goes to stdout, progress and remarks to stderr; `--json` prints one object a line.

mod branch;
mod demo;
mod exit;
mod export;
mod gc;
mod import;
mod init;
mod join;
mod load;
mod log;
mod new_file;
mod optimize;
mod output;
mod pin;
mod place;
mod query;
mod remote;
mod serve;
mod share;
mod status;
mod sync;
mod update;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use exit::Failure;

use crate::config::Config;

/// A knowledge graph that no server owns: SPARQL, Cypher and GraphQL over one graph, with branches.
#[derive(Parser)]
#[command(name = "reefloom", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "\
Start here:
  reefloom serve --demo                          a node with demo data, in the browser and by curl
  reefloom init ships                            make a workspace in ./reefloom-data
  reefloom load fleet.ttl -m 'first load'        load RDF as one commit
  reefloom query 'MATCH (v:Vessel) RETURN v.name LIMIT 5'
  reefloom share                                 print a ticket; `reefloom join <ticket>` elsewhere
  reefloom export ships.car                      the same by hand; `reefloom import ships.car` elsewhere

Exit codes: 0 done, 1 failure, 2 usage, 3 query syntax, 4 not found, 5 conflict, 6 not allowed,
7 blocks out of reach, 8 verification failed, 130 interrupted.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb understands.
#[derive(Args)]
pub struct Global {
    /// The data folder [default: ./reefloom-data]
    #[arg(long, global = true, value_name = "DIR", env = "REEFLOOM_DATA")]
    pub data: Option<PathBuf>,
    /// The workspace, with a branch or commit after an @ [default: the first one made, its default branch]
    #[arg(long, short = 'w', global = true, value_name = "NAME[@REF]", env = "REEFLOOM_WORKSPACE")]
    pub workspace: Option<String>,
    /// How much memory to plan with, such as 512M [default: what the process may have]
    #[arg(long, global = true, value_name = "SIZE", env = "REEFLOOM_MEMORY")]
    pub memory: Option<String>,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Say what happens inside, on stderr (-v info, -vv debug)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Make a workspace
    Init(init::Arguments),
    /// Run a node: HTTP for clients, a port for peers
    Serve(serve::Arguments),
    /// Load RDF files as one commit
    Load(load::Arguments),
    /// Ask in SPARQL, Cypher or GraphQL
    Query(query::Arguments),
    /// Change data with SPARQL Update or Cypher
    Update(update::Arguments),
    /// List, make or delete branches
    Branch(branch::Arguments),
    /// Make a branch the default one
    Switch(branch::SwitchArguments),
    /// Show the commits of a branch
    Log(log::Arguments),
    /// Print a ticket with which another node can join
    Share(share::Arguments),
    /// Join a workspace with a ticket
    Join(join::Arguments),
    /// Fetch the news of joined workspaces from their peers
    Sync(sync::Arguments),
    /// Write a workspace, or its news, to a file that travels by hand
    Export(export::Arguments),
    /// Take in a file that `export` wrote
    Import(import::Arguments),
    /// Show workspaces, branches, sizes and peers
    Status(status::Arguments),
    /// Check every block, commit and signature that is here
    Verify(verify::Arguments),
    /// Fold the changes of a branch into a run, so that reading it is fast
    Optimize(optimize::Arguments),
    /// Give back the space of blocks that nothing needs
    Gc(gc::Arguments),
    /// Keep a commit whatever becomes of its branch; list or drop pins
    Pin(pin::Arguments),
}

/// Runs the program and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; clap knows which stream each goes to.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let json = cli.global.json;
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let config = Config::read(cli.global)?;
    crate::telemetry::start(config.verbose);
    match cli.verb {
        Verb::Init(arguments) => init::run(&config, arguments),
        Verb::Serve(arguments) => serve::run(&config, arguments),
        Verb::Load(arguments) => load::run(&config, arguments),
        Verb::Query(arguments) => query::run(&config, arguments),
        Verb::Update(arguments) => update::run(&config, arguments),
        Verb::Branch(arguments) => branch::run(&config, arguments),
        Verb::Switch(arguments) => branch::switch(&config, arguments),
        Verb::Log(arguments) => log::run(&config, arguments),
        Verb::Share(arguments) => share::run(&config, arguments),
        Verb::Join(arguments) => join::run(&config, arguments),
        Verb::Sync(arguments) => sync::run(&config, arguments),
        Verb::Export(arguments) => export::run(&config, arguments),
        Verb::Import(arguments) => import::run(&config, arguments),
        Verb::Status(arguments) => status::run(&config, arguments),
        Verb::Verify(arguments) => verify::run(&config, arguments),
        Verb::Optimize(arguments) => optimize::run(&config, arguments),
        Verb::Gc(arguments) => gc::run(&config, arguments),
        Verb::Pin(arguments) => pin::run(&config, arguments),
    }
}
