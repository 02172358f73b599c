//! Floor 4: supervisors behind the traits of [`crate::supervisor`]. No backend knows another.

pub mod any;
mod file_services;
pub mod launchd;
pub mod no_supervisor;
pub mod s6;
mod self_report;
pub mod systemd;
mod tool;
pub mod windows;
