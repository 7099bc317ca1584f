//! Crashes: of the program at every point around its effects and at random moments, and of its servers under load. What
//! was acknowledged is there afterwards, what was not is there wholly or not at all, and nothing else is left.

mod kills;
mod load;
mod points;
mod servers;
