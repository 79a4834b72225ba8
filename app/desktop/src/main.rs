//! `cove-desktop`: Cove's window and tray icon. A client of the daemon like any other, with no logic of its own.
//!
//! * [`instance`] — one per home; the second start raises the first one's window.
//! * [`link`] — the task that keeps the link to the daemon and watches through it.
//! * [`tray`] — the icon, its tooltip and its menu follow what the link says.
//! * [`window`] — the window; it hides instead of closing.
//! * [`news`] — what the link says, told to the page while it is looked at.
//! * [`commands`] — what the page may ask for.
//! * [`wire`] — the shapes that the page sees.

mod commands;
mod instance;
mod link;
mod news;
mod tray;
mod window;
mod wire;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use cove_platform::home::Home;
use tauri::{App, RunEvent};

use crate::{commands::logs::OpenLogs, instance::Instance, link::Link};

/// Cove's window and tray icon.
#[derive(Debug, Parser)]
#[command(name = "cove-desktop", version)]
struct Arguments {
    /// Begin in the tray, without a window.
    #[arg(long)]
    hidden: bool,
}

fn main() -> ExitCode {
    cove_platform::web_view::keep_calm();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "cove-desktop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let home = Home::find(None).context("find the folder of Cove")?;
    home.prepare().context("prepare the folder of Cove")?;
    let Some(instance) = tauri::async_runtime::block_on(instance::claim(&home))? else { return Ok(()) };
    let (link, hidden) = (Link::new(), arguments.hidden);
    let app = tauri::Builder::default()
        .manage(link.clone())
        .manage(OpenLogs::default())
        .invoke_handler(commands::all())
        .on_window_event(window::on_event)
        .setup(move |app| set_up(app, home, link, instance, hidden).map_err(Into::into))
        .build(tauri::generate_context!())
        .context("prepare the window")?;
    app.run(|_, event| {
        // The last window may go; the tray and with it this program stay until Quit, which names an exit code.
        if let RunEvent::ExitRequested { code: None, api, .. } = event {
            api.prevent_exit();
        }
    });
    Ok(())
}

fn set_up(app: &mut App, home: Home, link: Link, instance: Instance, hidden: bool) -> anyhow::Result<()> {
    let handle = app.handle();
    tray::set_up(handle, &link).context("make the tray icon")?;
    window::set_up(handle, !hidden).context("make the window")?;
    news::tell(handle, &link);
    tauri::async_runtime::spawn(instance.serve(handle.clone()));
    tauri::async_runtime::spawn(link.keep(home));
    Ok(())
}
