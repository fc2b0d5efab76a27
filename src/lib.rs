//! tapeout: the economics of AI compute, for millions of scenarios at once.

pub mod algebra;
pub mod arena;
pub mod defects;
pub mod engine;
pub mod explain;
pub mod finance;
pub mod flop;
pub mod gemm;
pub mod gradient;
pub mod instances;
pub mod kernel;
pub mod lattice;
pub mod launch;
pub mod layer;
pub mod market;
pub mod math;
pub mod memory;
pub mod micro_batch;
pub mod models;
pub mod normal;
pub mod number;
pub mod occupancy;
pub mod outcomes;
pub mod own_flow;
pub mod plan;
#[cfg(feature = "python")]
mod python;
pub mod request;
pub mod risk;
pub mod root;
pub mod sample;
pub mod saving;
pub mod scaling_law;
pub mod serving;
pub mod settings;
pub mod solve;
pub mod spending;
pub mod summary;
pub mod transformer;
#[cfg(test)]
mod trial;
pub mod variable;
pub mod vintage;
pub mod wafer;
