//! What PostgreSQL adds to the port.
