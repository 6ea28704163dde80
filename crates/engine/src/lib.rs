//! The operations behind mote's verbs: plans, cache, locks, runs.
