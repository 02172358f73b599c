//! Floor 4: supervisors behind the traits of [`crate::supervisor`]. None knows another.

pub mod any;
pub mod launchd;
pub mod nobody;
pub mod s6;
pub mod systemd;
mod wait;
