//! Behaviour of the driver.
