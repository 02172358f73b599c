//! stub
use crate::machine::{Moved, Printed};
pub use crate::scenario::Promise as Name;
use crate::world::World;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub promise: Name,
    pub what: String,
}
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watch;
impl Watch {
    pub fn new(_: &World, _: &[Name]) -> Self {
        Self
    }
    pub fn begins(&mut self, _: &World, _: u64, _: &[String], _: u32) {}
    pub fn moved(&mut self, _: &World, _: &Moved, _: Option<&Printed>) -> Result<(), Breach> {
        Ok(())
    }
    pub fn cut_short(&mut self, _: &World, _: impl Iterator<Item = u64>) {}
    pub fn power_cut(&mut self, _: &World) {}
    pub fn meddled(&mut self, _: &World) {}
    pub fn at_rest(&mut self, _: &World) -> Result<(), Breach> {
        Ok(())
    }
    pub fn booted(&mut self, _: &World) -> Result<(), Breach> {
        Ok(())
    }
    pub fn fingerprint(_: &World) -> u128 {
        0
    }
}
