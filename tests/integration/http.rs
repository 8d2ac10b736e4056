//! HTTP beside the stream.
