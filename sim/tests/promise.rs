//! Every promise is broken once by a world made for it, and a healthy world breaks none.

#[path = "promise/instant.rs"]
mod instant;
#[path = "promise/later.rs"]
mod later;
#[path = "promise/stage.rs"]
mod stage;
