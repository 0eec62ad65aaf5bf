"""Configures nbgrader for the course: run ``nbgrader generate_assignment back-propagation`` in this folder."""

c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "chainrule"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}  # as in release.py; a missing answer raises no error
c.ExecutePreprocessor.timeout = 60
c.ExecutePreprocessor.interrupt_on_timeout = True  # a cell that does not terminate is stopped, and the next one runs
