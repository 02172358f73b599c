//! Reads facts off a world, without permissions, effects or time: for invariants, expectations and the searches. Changes
//! nothing, and judges nothing.
//!
//! ```text
//!   recorded_intent   the intent that files hold, read by the production readers
//!   volume            the home: profiles, their intents now and after any power cut, what is half done
//!   process           the roles of processes: gateways, supervisors, scanners, boots
//!   service           a profile's service, in a slot or with a host's supervisor
//!   slot              the slots of a container: their files, supervisors and status records
//! ```

pub mod process;
pub mod recorded_intent;
pub mod service;
pub mod slot;
pub mod volume;
