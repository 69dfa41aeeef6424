"""HTML pages: the frame, the axes and the class tables that every report shares."""
