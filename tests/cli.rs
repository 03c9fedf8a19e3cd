//! The real binary against moto: exit codes, what is said on which stream, which calls arrive, what is written.

mod apply;
mod ask;
mod bad_input;
mod broken;
mod calls;
mod declared;
mod import;
mod output;
mod two;
