//! What is so in a world, seen without permissions, doors or time: for promises, expectations and the search. Changes
//! nothing, and judges nothing.
//!
//! ```text
//!   word       what an operator's word in files means, read by the production readers
//!   volume     the home: profiles, their words now and after any power cut, what was left half done
//!   process    who is what: gateways, supervisors, scanners, boots
//!   service    a profile's service, in a slot or with a host's supervisor
//!   slot       the slots of a container: their files, their supervisors, their status records
//! ```

pub mod process;
pub mod recorded_intent;
pub mod service;
pub mod slot;
pub mod volume;
