#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hostcast::fuzzing::stream_query(bytes));
