"""Everything that touches the world: sockets, files, clocks, processes, HTTP. The parts are its modules."""
