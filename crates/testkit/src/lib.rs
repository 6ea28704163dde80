//! What mote's tests share: sandboxes, fake programs, a guest harness.
