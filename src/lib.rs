//! tapeout: the economics of AI compute, for millions of scenarios at once.

pub mod defects;
pub mod engine;
pub mod finance;
<<<<<<< HEAD
pub mod gemm;
=======
pub mod flop;
>>>>>>> 5e0e5972c7412766958b49a707d2f2045f8c0f6f
pub mod gradient;
pub mod launch;
pub mod layer;
pub mod market;
pub mod math;
pub mod models;
pub mod normal;
pub mod number;
pub mod own_flow;
pub mod plan;
#[cfg(feature = "python")]
mod python;
pub mod risk;
pub mod sample;
pub mod saving;
pub mod scaling_law;
pub mod settings;
pub mod solve;
pub mod summary;
#[cfg(test)]
mod trial;
pub mod variable;
pub mod vintage;
pub mod wafer;
