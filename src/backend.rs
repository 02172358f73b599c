//! Floor 4: supervisors behind the traits of [`crate::supervisor`]. None knows another.

pub mod any;
mod files;
pub mod launchd;
pub mod nobody;
mod note;
pub mod s6;
pub mod systemd;
mod tool;
pub mod windows;
