"""nbgrader finds the course here: ``nbgrader generate_assignment back-propagation`` in this folder."""

c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "chainrule"
c.ExecutePreprocessor.timeout = 120
