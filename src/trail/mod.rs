//! Recorded calls: CloudTrail's records read as fast as the machine allows, each made a request as well as the record
//! allows, folded to distinct requests, and judged under what is in force and under what is declared.
//!
//! The way of the data: [`files`] (sources, gzip, threads) → [`cut`] (one record after another) → [`fast`] and [`record`]
//! (typed, not copied; [`reader`] and [`scan`] step over the rest) → [`classes`] (is it a call that policies bind?) →
//! [`actions`] and [`asked`] (what it asks for) → [`request`] (who, on what, under which keys) → [`fold`] (each distinct request judged once) → [`tally`] (what would newly be denied or allowed).
//!
//! Architecture invariants: what a record does not tell is unknown and never taken for absent; memory does not depend on
//! how much is read; whatever a file holds, the rest of it and the other files are read. Only [`files`] and [`run`] know
//! of files and threads.

pub mod actions;
pub mod asked;
pub mod classes;
pub mod cut;
pub mod fast;
pub mod files;
pub mod fold;
pub mod gather;
pub mod keys;
pub mod lake;
pub mod reader;
pub mod record;
pub mod repeats;
pub mod request;
pub mod resources;
pub mod run;
pub mod scan;
pub mod tally;
pub mod walk;

pub use classes::Class;
pub use fold::{Answer, Bound, By, Judge, Judgement, Looks};
pub use request::{Call, Told};
pub use run::{Findings, Options, run};
