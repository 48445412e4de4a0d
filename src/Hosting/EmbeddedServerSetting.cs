namespace KafkaEventSourcing.Hosting;

/// <summary>A whole number by which embedded servers can be set up, such as a port. A command line makes an option of it.</summary>
/// <param name="Name">The option, such as <c>--kafka-port</c>.</param>
/// <param name="Variable">The environment variable that gives the option where it is not given itself.</param>
/// <param name="Description">What it is, for the help.</param>
/// <param name="Default">The value where none is given.</param>
/// <param name="WhatIsWrong">Says what is wrong with a value; null: nothing.</param>
public sealed record EmbeddedServerSetting(string Name, string Variable, string Description, int Default, Func<int, string?> WhatIsWrong);
