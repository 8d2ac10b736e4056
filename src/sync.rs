//! What the threads of the stream share memory by: std's, but for the model check (`make test-model`), which runs them
//! in every order that it can think of.

#[cfg(not(all(test, feature = "model")))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, RwLock,
    atomic::{AtomicBool, AtomicUsize},
};

#[cfg(all(test, feature = "model"))]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard, RwLock,
    atomic::{AtomicBool, AtomicUsize},
};
