//! The tray icon. Icon, tooltip, first line and what can be chosen follow the link; nothing is asked for.
//!
//! * [`look`] — from what the link says to what is seen, a pure function.
//! * [`words`] — the texts, in English and Korean.

mod icons;
mod look;
mod words;

use tauri::{
    AppHandle, Wry,
    menu::{Menu, MenuItem, PredefinedMenuItem},
    tray::{TrayIcon, TrayIconBuilder},
};

use self::{look::Look, words::Words};
use crate::{
    commands::machine,
    link::{Connection, Link},
    window,
};

const START: &str = "start";
const STOP: &str = "stop";
const RESTART: &str = "restart";
const OPEN: &str = "open";
const QUIT: &str = "quit";

/// What changes in the tray.
struct Tray {
    icon: TrayIcon,
    state: MenuItem<Wry>,
    start: MenuItem<Wry>,
    stop: MenuItem<Wry>,
    restart: MenuItem<Wry>,
    shown: Option<Look>,
}

/// Makes the icon and has it follow the link.
///
/// # Errors
/// If the system takes no icon or menu.
pub(crate) fn set_up(app: &AppHandle, link: &Link) -> tauri::Result<()> {
    let words = Words::of_the_user();
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let state = item("state", words.connecting, false)?;
    let (start, stop) = (item(START, words.start, false)?, item(STOP, words.stop, false)?);
    let restart = item(RESTART, words.restart, false)?;
    let (open, quit) = (item(OPEN, words.open, true)?, item(QUIT, words.quit, true)?);
    let (above, below) = (PredefinedMenuItem::separator(app)?, PredefinedMenuItem::separator(app)?);
    let menu = Menu::with_items(app, &[&state, &above, &start, &stop, &restart, &below, &open, &quit])?;
    let chosen = link.clone();
    let icon = TrayIconBuilder::with_id("cove")
        .icon(icons::of(icons::Kind::Stopped))
        // macOS colours a template to fit the menu bar; elsewhere this says nothing.
        .icon_as_template(true)
        .tooltip(words.connecting)
        .menu(&menu)
        .show_menu_on_left_click(true)
        .on_menu_event(move |app, event| choose(app, &chosen, event.id().as_ref()))
        .build(app)?;
    let tray = Tray { icon, state, start, stop, restart, shown: None };
    tauri::async_runtime::spawn(follow(tray, link.clone(), words));
    Ok(())
}

async fn follow(mut tray: Tray, link: Link, words: &'static Words) {
    let (mut connection, mut machine, mut containers) = (link.connection(), link.machine(), link.containers());
    loop {
        let look = Look::of(
            &connection.borrow_and_update(),
            machine.borrow_and_update().as_ref(),
            containers.borrow_and_update().iter().filter(|container| container.runs).count(),
            words,
        );
        tray.show(look);
        tokio::select! {
            changed = connection.changed() => if changed.is_err() { return },
            changed = machine.changed() => if changed.is_err() { return },
            changed = containers.changed() => if changed.is_err() { return },
        }
    }
}

impl Tray {
    /// A desktop that takes no icon just now takes the next one; there is nobody to tell but the window, which shows all.
    fn show(&mut self, look: Look) {
        if self.shown.as_ref() == Some(&look) {
            return;
        }
        if self.shown.as_ref().map(|shown| shown.icon) != Some(look.icon) {
            let _ = self.icon.set_icon_with_as_template(Some(icons::of(look.icon)), true);
        }
        let _ = self.icon.set_tooltip(Some(format!("Cove: {}", look.text)));
        let _ = self.state.set_text(&look.text);
        let _ = self.start.set_enabled(look.can_start);
        let _ = self.stop.set_enabled(look.can_stop);
        let _ = self.restart.set_enabled(look.can_restart);
        self.shown = Some(look);
    }
}

fn choose(app: &AppHandle, link: &Link, id: &str) {
    let (app, link) = (app.clone(), link.clone());
    match id {
        OPEN => window::show(&app),
        QUIT => app.exit(0),
        START | STOP | RESTART => {
            let id = id.to_owned();
            tauri::async_runtime::spawn(async move {
                if act(&link, &id).await.is_err() {
                    // The reason is the machine's state, which the window shows with what to do about it.
                    window::show(&app);
                }
            });
        }
        _ => {}
    }
}

async fn act(link: &Link, id: &str) -> Result<(), crate::wire::failure::Failure> {
    if let Connection::Lost(failure) = link.again().await {
        return Err(failure);
    }
    match id {
        START => machine::start(link).await,
        STOP => machine::stop(link).await,
        _ => machine::restart(link).await,
    }
}
