"""nbgrader finds the course here: ``nbgrader generate_assignment back-propagation`` in this folder."""

c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "chainrule"
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}  # as release.py: an answer by hand needs no error
c.ExecutePreprocessor.timeout = 60
c.ExecutePreprocessor.interrupt_on_timeout = True  # a cell without an end stops, and the next one runs
