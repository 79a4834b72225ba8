//! What differs between host operating systems, behind one face for all of them.
//!
//! * [`home`] — the folder of one user's Cove and the places in it.
//! * [`local`] — sockets and named pipes that only this user may open.
//! * [`lock`] — one daemon per home, held by the operating system.
//! * [`process`] — starting a program that outlives its starter; being asked to stop.
//! * [`disk`] — free space, and what a sparse file takes.
//! * [`memory`] — how much there is.
//! * [`autostart`] — starting a program at login.
//! * [`routes`] — where this computer goes.
//! * [`web_view`] — what the system's web view is told.

pub mod autostart;
pub mod disk;
pub mod home;
pub mod local;
pub mod lock;
pub mod memory;
pub mod process;
pub mod routes;
pub mod web_view;
