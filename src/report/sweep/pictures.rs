//! Pictures of a sweep: maps, parallel coordinates, the curves of the best trials. It only lays out
//! what the sweep says.
