//! hostcast as an operator has it: installed from its package on a host that systemd runs, within its sandbox.
//!
//! Each test boots a machine of its own. `make test-system` makes the packages and the root folder that this needs, and
//! runs these tests as root.

mod cloud;
mod machine;
mod package;
mod recorder;
mod sandbox;
mod service;
