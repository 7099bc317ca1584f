//! Document models shared by package types.
