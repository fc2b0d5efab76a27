//! tapeout: the economics of AI compute, for millions of scenarios at once.

pub mod defects;
pub mod engine;
pub mod finance;
pub mod gradient;
pub mod launch;
pub mod market;
pub mod math;
pub mod models;
pub mod number;
pub mod plan;
#[cfg(feature = "python")]
mod python;
pub mod risk;
pub mod sample;
pub mod saving;
pub mod serving;
pub mod settings;
pub mod solve;
pub mod summary;
#[cfg(test)]
mod trial;
pub mod variable;
pub mod wafer;
