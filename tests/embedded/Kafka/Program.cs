using KafkaEventSourcing.Embedded.Kafka.Tests;
using KafkaEventSourcing.Embedded.Kafka.Tests.Crash;
using Xunit.MicrosoftTestingPlatform;

// The tests, or a broker that a test of this program started to kill it.
return args is [BrokerProgram.Verb, string folder, string port]
    ? await BrokerProgram.Run(folder, int.Parse(port, System.Globalization.CultureInfo.InvariantCulture))
    : await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
